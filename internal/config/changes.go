package config

import (
	"fmt"
	"reflect"
	"sort"
)

// Changes are the paths of the values that differ, such as targets[0].hold; a list of another length is named as a
// whole.
func Changes(old, next *Config) []string {
	var paths []string
	eachChange(reflect.ValueOf(*old), reflect.ValueOf(*next), "", false, func(path string, _ bool) { paths = append(paths, path) })
	sort.Strings(paths)
	return paths
}

// RestartFor are those of the changes that a running gateway does not take into force: the keys whose field, or a section
// around it, is tagged restart.
func RestartFor(old, next *Config) []string {
	var paths []string
	eachChange(reflect.ValueOf(*old), reflect.ValueOf(*next), "", false, func(path string, restart bool) {
		if restart {
			paths = append(paths, path)
		}
	})
	sort.Strings(paths)
	return paths
}

// eachChange calls f with every path whose values differ. restart is inherited from the section; for a list or a section
// that comes or goes as a whole it is true when anything in it needs a restart.
func eachChange(a, b reflect.Value, path string, restart bool, f func(path string, restart bool)) {
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				f(path, restart || anyRestart(a.Type().Elem()))
			}
			return
		}
		eachChange(a.Elem(), b.Elem(), path, restart, f)
	case reflect.Struct:
		switch x := a.Interface().(type) {
		case Secret:
			if !x.Equal(b.Interface().(Secret).Source) {
				f(path, restart)
			}
			return
		case PEM:
			if !x.Equal(b.Interface().(PEM).Source) {
				f(path, restart)
			}
			return
		}
		for fd := range fields(a.Type()) {
			eachChange(a.Field(fd.index), b.Field(fd.index), join(path, fd.key), restart || fd.tag.Get("restart") == "true", f)
		}
	case reflect.Slice:
		if a.Len() != b.Len() {
			f(path, restart || anyRestart(a.Type().Elem()))
			return
		}
		for i := range a.Len() {
			eachChange(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i), restart, f)
		}
	default:
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			f(path, restart)
		}
	}
}

func anyRestart(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || isSource(t) {
		return false
	}
	for fd := range fields(t) {
		if fd.tag.Get("restart") == "true" {
			return true
		}
	}
	return false
}
