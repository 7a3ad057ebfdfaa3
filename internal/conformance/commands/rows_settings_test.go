package commands_test

import (
	"strings"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

// settingRows read and write what has no command of its own.
func settingRows() []command {
	const schedule, newer, loggers = "rotate/config", "rotate/keyring/config", "loggers"
	row := func(name string, steps ...step) command { return command{name: name, steps: steps} }
	reads := func(path string, want prints) command {
		return row("read sys/"+path, step{asks: "GET " + path, call: read("sys/" + path), answers: want})
	}
	monthly := prints{"enabled": true, "interval": 30 * 24 * 3600, "max_operations": judge(some)}
	level := func(*scene) map[string]any { return map[string]any{"level": "info"} }
	return []command{
		row("write sys/"+schedule+" interval=720h", step{asks: "PUT " + schedule,
			call: write("sys/"+schedule, func(*scene) map[string]any {
				return map[string]any{"enabled": true, "interval": "720h"}
			})}),
		reads(schedule, monthly), reads(newer, monthly),
		row("write sys/loggers level=info", step{asks: "PUT " + loggers,
			call: write("sys/"+loggers, level)}),
		reads(loggers, prints{"level": "info"}),
		row("delete sys/loggers", step{asks: "DELETE " + loggers, call: remove("sys/" + loggers)}),
	}
}

// debugRows are the targets of a command that fetches what it can, and lists the rest as errors.
func debugRows() []command {
	const instead = "keyquorum operator debug"
	refused := func(target, asks, words string) command {
		_, path, _ := strings.Cut(asks, " ")
		return command{name: "debug -target=" + target, steps: []step{
			{asks: asks, call: raw("sys/" + path), answers: refusal{501, words}},
		}}
	}
	health := healthRow().steps[0]
	return []command{
		refused("config", "GET config/state/sanitized", instead),
		refused("host", "GET host-info", instead),
		refused("requests", "GET in-flight-req", instead),
		refused("replication-status", "GET replication/status",
			"Nodes in several regions are one cluster"),
		{name: "debug -target=metrics", note: "as text, and the command keeps nothing but JSON",
			steps: []step{{asks: "GET metrics", call: raw("sys/metrics"),
				answers: prints{"": has("# TYPE vault_core_unsealed gauge")}}}},
		{name: "debug -target=pprof", steps: []step{
			{asks: "GET pprof/goroutine", call: raw("sys/pprof/goroutine"),
				answers: prints{"": has("goroutine profile: total")}},
			{asks: "GET pprof/heap", call: raw("sys/pprof/heap"),
				answers: refusal{501, "Of Go's profiles there is sys/pprof/goroutine alone"}},
		}},
		{name: "debug -target=server-status", open: true, steps: []step{health,
			{asks: "GET seal-status", call: get((*bao.Sys).SealStatus, (*vault.Sys).SealStatus),
				answers: prints{"Sealed": false}, sealed: prints{"Sealed": true}},
		}},
		{name: "monitor", steps: []step{
			{asks: "GET monitor", call: monitor,
				answers: refusal{501, "A node's log goes to its standard error"}},
		}},
	}
}

// has: it is a text with this in it.
func has(part string) judge {
	return func(_ *scene, got any) bool {
		text, _ := got.(string)
		return strings.Contains(text, part)
	}
}
