package config

import "time"

// Audit is the audit log.
type Audit struct {
	// Dir holds the log.
	Dir Path `yaml:"dir" default:"./var/audit"`
	// Origin is the name of the log, in its checkpoints and in its archive; vecgate/ and the gateway's name when left out. A
	// log keeps its name for ever: another name is for a log that begins anew, in another directory.
	Origin string `yaml:"origin"`
	// Recipients are the age public keys (age1…) of the auditors; what is said in sessions is sealed to them.
	Recipients []string `yaml:"recipients"`
	// Self adds a key that the gateway itself holds, so that the console can replay sessions. Without it the gateway
	// cannot read what it recorded.
	Self bool `yaml:"self"`
	// Checkpoint is how often a signed statement of the log's size and root is written, when it has grown.
	Checkpoint time.Duration `yaml:"checkpoint" default:"1s" min:"100ms"`
	// Retention is how long records are kept here. With an archive nothing is removed before it is there.
	Retention time.Duration `yaml:"retention" default:"400d" min:"1d"`
	// Bodies is how long what was said in sessions can be read; after that only the records remain.
	Bodies time.Duration `yaml:"bodies" default:"30d" min:"1h"`
	// Segment is the size of one file of the log.
	Segment Size `yaml:"segment" default:"64MiB" min:"1MiB"`
	// Archive is a second copy of the log, where this machine cannot change it.
	Archive *Archive `yaml:"archive"`
	// Reads is the default for targets[].reads.
	Reads string `yaml:"reads" default:"before-forward" enum:"before-forward|before-release"`
}
