package monitoring

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// epoch is the moment of the first sample, as for promtool.
var epoch = time.Unix(0, 0).UTC()

// A sample is a value at a moment, in milliseconds.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// An input is a series as promtool's tests write it: `up{job="keyquorum"}` and `1 0x10`.
type input struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

// read makes it one with a value each interval, beginning at the epoch.
func (in input) read(p parser.Parser, interval time.Duration) (storage.Series, error) {
	name, values, err := p.ParseSeriesDesc(in.Series + " " + in.Values)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", in.Series, in.Values, err)
	}
	var samples []chunks.Sample
	for i, v := range values {
		if !v.Omitted {
			at := epoch.Add(time.Duration(i) * interval).UnixMilli()
			samples = append(samples, sample{at, v.Value})
		}
	}
	return storage.NewListSeries(name, samples), nil
}

// holding is what a query reads.
func holding(all []storage.Series) storage.Queryable {
	choose := func(_ bool, _ *storage.SelectHints, wanted ...*labels.Matcher) storage.SeriesSet {
		set := &seriesSet{next: -1}
		for _, s := range all {
			if !slices.ContainsFunc(wanted, func(m *labels.Matcher) bool {
				return !m.Matches(s.Labels().Get(m.Name))
			}) {
				set.series = append(set.series, s)
			}
		}
		return set
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: choose}}
}

// A seriesSet goes through series.
type seriesSet struct {
	series []storage.Series
	next   int
}

func (s *seriesSet) Next() bool                        { s.next++; return s.next < len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.next] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
