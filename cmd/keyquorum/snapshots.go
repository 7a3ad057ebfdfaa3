package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/settings"
	"keyquorum/node/schedule"
	"keyquorum/node/schedule/s3"
)

// snapshotFlags is what the names of settings of scheduled snapshots begin with. A reload takes all
// of them.
const snapshotFlags = "snapshots-"

// snapshotSettings are those of scheduled snapshots. In a file in HCL they may stand in a stanza
// snapshots, and those of S3 in a stanza s3 in it.
type snapshotSettings struct {
	Every   time.Duration
	Keep    int
	KeepFor time.Duration
	Folder  string
	S3      s3.Config
}

func (s *snapshotSettings) bind(f *pflag.FlagSet) {
	f.DurationVar(&s.Every, "snapshots-every", 0,
		"how often the node takes a snapshot of the cluster when it leads; 0: never")
	f.IntVar(&s.Keep, "snapshots-keep", 0, "how many of them stay; 0: see --snapshots-keep-for")
	f.DurationVar(&s.KeepFor, "snapshots-keep-for", 0,
		"how long one stays at least, beyond --snapshots-keep of them")
	f.StringVar(&s.Folder, "snapshots-folder", "",
		"`folder` to keep them in, which is there, best one that all nodes see")
	f.StringVar(&s.S3.Bucket, "snapshots-s3-bucket", "",
		"`name` of a bucket to keep them in, there too")
	f.StringVar(&s.S3.Endpoint, "snapshots-s3-endpoint", "",
		"https `URL` of the bucket's S3-compatible store (default AWS's own)")
	f.StringVar(&s.S3.Region, "snapshots-s3-region", "us-east-1", "`name` of the bucket's region")
	f.StringVar(&s.S3.Prefix, "snapshots-s3-prefix", "",
		"`text` that names of objects begin with, as in keyquorum/")
	f.StringVar(&s.S3.Credentials, "snapshots-s3-credentials", "",
		"`file` with aws_access_key_id and aws_secret_access_key (default the environment's "+
			"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)")
	f.BoolVar(&s.S3.PathStyle, "snapshots-s3-path-style", false,
		"name the bucket in the path, and not before the host's name")
	f.StringVar(&s.S3.CA, "snapshots-s3-ca", "",
		"PEM `file` with the authorities of the endpoint (default the system's)")
}

// snapshots is the schedule, and what is wrong with it.
func (s *serverConfig) snapshots() (plan schedule.Plan, wrong problems) {
	given := s.Snapshots
	if given.Folder != "" {
		plan.Stores = append(plan.Stores, schedule.Folder(given.Folder))
	}
	if given.S3.Bucket != "" {
		store, err := s3.New(given.S3)
		if err != nil {
			wrong = append(wrong, s.about("snapshots-s3-bucket", err.Error()))
		} else {
			plan.Stores = append(plan.Stores, store)
		}
	}
	if given.Every == 0 {
		return schedule.Plan{}, append(wrong, s.unscheduled()...)
	}
	plan.Every, plan.Keep, plan.KeepFor = given.Every, given.Keep, given.KeepFor
	if given.Every < schedule.Least {
		wrong = append(wrong, s.about("snapshots-every",
			fmt.Sprintf("at least %v are needed", schedule.Least)))
	}
	if given.Keep < 0 || given.KeepFor < 0 {
		wrong = append(wrong, s.about("snapshots-keep", "neither it nor keep_for is negative"))
	}
	if given.Keep <= 0 && given.KeepFor <= 0 {
		wrong = append(wrong, s.incomplete("it is not said how many snapshots stay, or how long",
			"set snapshots_keep, snapshots_keep_for, or both"))
	}
	if given.Folder == "" && given.S3.Bucket == "" {
		wrong = append(wrong, s.incomplete("it is not said where snapshots are kept",
			"set snapshots_folder, snapshots_s3_bucket, or both"))
	}
	return plan, wrong
}

// unscheduled refuses settings that need a schedule. Whoever says where snapshots are kept believes
// that there will be some.
func (s *serverConfig) unscheduled() (wrong problems) {
	s.flags.VisitAll(func(flag *pflag.Flag) {
		if strings.HasPrefix(flag.Name, snapshotFlags) && flag.Value.String() != flag.DefValue {
			p := s.about(flag.Name, "no snapshots are scheduled")
			p.Next = "say with snapshots_every how often one is taken, or leave it out"
			wrong = append(wrong, p)
		}
	})
	return wrong
}

// incomplete is what the schedule lacks.
func (s *serverConfig) incomplete(what, next string) settings.Problem {
	p := s.about("snapshots-every", what)
	p.Next = next
	return p
}

// snapshots looks at the places that the schedule names. A node starts without them, tries again
// each time, and says that its snapshots fail.
func (c *check) snapshots(plan schedule.Plan) {
	for _, store := range plan.Stores {
		switch store := store.(type) {
		case schedule.Folder:
			c.snapshotFolder(string(store))
		case *s3.Store:
			if err := store.Ready(); err != nil {
				c.warn("snapshots-s3-bucket", err.Error(),
					"give the key in a file, or in the node's environment")
			}
		}
	}
}

// snapshotFolder should be there. Nobody but the node need look into it, but others may.
func (c *check) snapshotFolder(dir string) {
	const flag = "snapshots-folder"
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		c.warn(flag, err.Error(), "make it, for the node's user, or mount what is there")
	case !info.IsDir():
		c.warn(flag, dir+" is a file, and no folder", "choose another place")
	case unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK) != nil:
		c.warn(flag, fmt.Sprintf("user %d may not write to %s", os.Getuid(), dir),
			"give the folder to the user that runs the node, or check as that user")
	case onOneDisk(dir, existing(c.config.Data)):
		c.warn(flag, "it is on the disk of the data: what takes the one takes the other",
			"choose a folder on another disk, best on another machine")
	}
}

// onOneDisk says whether two paths are on one file system.
func onOneDisk(a, b string) bool {
	var of, with unix.Stat_t
	return unix.Stat(a, &of) == nil && unix.Stat(b, &with) == nil && of.Dev == with.Dev
}

// scheduled are the stores of the schedule in a configuration file, for commands that need no node.
func scheduled(file string) ([]schedule.Store, error) {
	config := &serverConfig{}
	f := pflag.NewFlagSet("server", pflag.ContinueOnError)
	config.bind(f)
	if file != "" {
		_ = f.Set("config", file)
	}
	wrong := config.fill(f, os.LookupEnv)
	plan, more := config.snapshots()
	if err := append(wrong, more...).err(); err != nil {
		return nil, err
	}
	if len(plan.Stores) == 0 {
		return nil, errors.New("no snapshots are scheduled: say with --config which file of the " +
			"server says where they are kept (snapshots in docs/configuration.md)")
	}
	return plan.Stores, nil
}
