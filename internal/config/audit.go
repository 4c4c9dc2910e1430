package config

import "time"

// Audit is the audit log.
type Audit struct {
	// Dir holds the log.
	Dir Path `yaml:"dir" default:"./var/audit"`
	// Recipients are the age public keys (age1…) of the auditors; what is said in sessions is sealed to them.
	Recipients []string `yaml:"recipients"`
	// Self adds a key that the gateway itself holds, so that the console can replay sessions. Without it the gateway
	// cannot read what it recorded.
	Self bool `yaml:"self"`
	// Checkpoint is how often a signed statement of the log's size and root is written, when it has grown.
	Checkpoint time.Duration `yaml:"checkpoint" default:"1s" min:"100ms"`
	// Retention is how long records are kept.
	Retention time.Duration `yaml:"retention" default:"400d" min:"1d"`
	// Bodies is how long what was said in sessions can be read; after that only the records remain.
	Bodies time.Duration `yaml:"bodies" default:"30d" min:"1h"`
	// Segment is the size of one file of the log.
	Segment Size `yaml:"segment" default:"64MiB" min:"1MiB"`
	// Reads is the default for targets[].reads.
	Reads string `yaml:"reads" default:"before-forward" enum:"before-forward|before-release"`
}
