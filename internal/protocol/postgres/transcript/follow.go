package transcript

// What an exchange changes for those after it. A change counts once the server has confirmed it; where the recording does
// not show whether it has, what the name stands for is not known any more.

// missing forgets what may have changed in a part of the request that is not there. What follows the end of a run of
// messages within an exchange is data of a COPY, which changes no name.
func (t *teller) missing(x Exchange) {
	if x.Refused {
		return
	}
	if len(x.Asked) == 0 {
		if x.Cut || len(x.Answered) == 0 { // otherwise the server spoke unasked
			t.forgetAll()
		}
		return
	}
	for _, s := range t.steps {
		switch s.kind {
		case 'Q', 'S', 'H', 'F':
			return
		case 0:
			t.forgetAll()
			return
		}
	}
	if x.Cut {
		t.forgetAll()
	}
}

// finish tells the steps that no recorded answer belongs to.
func (t *teller) finish(x Exchange) {
	settle := t.inDoubt
	switch {
	case x.Refused:
		// The gateway lets the server raise the error, so that a transaction fails, and its portals with it.
		settle = func() {}
		defer clear(t.portals)
	case x.Succeeded:
		settle = t.carriedOut
	}
	if !t.broken && (t.current.kind == 'Q' || t.current.kind == 'E') {
		settle()
	}
	for len(t.steps) > 0 && t.err == nil {
		t.next()
		if !t.failed {
			settle()
		}
	}
}

// carriedOut applies the current step, or what of it is not applied yet.
func (t *teller) carriedOut() {
	c := cursor{rest: t.current.body}
	switch t.current.kind {
	case 'P':
		if s := t.parsing[key(c.text())]; s != nil {
			t.prepare(s)
			delete(t.parsing, s.name)
		}
	case 'B':
		name := key(c.text())
		if p := t.binding[name]; p != nil {
			t.Conversation.bind(name, p)
			delete(t.binding, name)
		}
	case 'C':
		if c.byte() == 'S' {
			t.forget(key(c.text()))
		} else {
			delete(t.portals, key(c.text()))
		}
	case 'Q', 'E':
		all, ok := t.running()
		if !ok {
			t.forgetAll() // it may have been DEALLOCATE
		}
		for i, command := range all {
			if i >= t.sub {
				t.apply(command.tag, command)
			}
		}
	}
}

// inDoubt forgets what the current step may have changed.
func (t *teller) inDoubt() {
	c := cursor{rest: t.current.body}
	switch t.current.kind {
	case 'P':
		t.forget(key(c.text()))
	case 'B':
		delete(t.portals, key(c.text()))
	case 'C':
		if c.byte() == 'S' {
			t.forget(key(c.text()))
		} else {
			delete(t.portals, key(c.text()))
		}
	case 'Q', 'E':
		all, ok := t.running()
		for i, command := range all {
			ok = ok && (i < t.sub || command.tag == "")
		}
		if !ok {
			t.forgetAll()
		}
	}
}

// running is what the current Query or Execute runs, if that is known.
func (t *teller) running() ([]command, bool) {
	if t.split != nil {
		return t.split, true
	}
	c := cursor{rest: t.current.body}
	switch t.current.kind {
	case 'Q':
		t.split = commands(c.text())
		return t.split, true
	case 'E':
		if p := t.portal(c.text()); p != nil && p.of != nil && p.of.known {
			t.split = commands(p.of.text)
			return t.split, true
		}
	}
	return nil, false
}

// completed follows a command that the server says is done.
func (t *teller) completed(tag string) {
	switch tag {
	case "PREPARE", "DEALLOCATE", "DEALLOCATE ALL", "DISCARD ALL", "CLOSE CURSOR", "CLOSE CURSOR ALL":
		var done command
		if all, _ := t.running(); t.sub < len(all) && all[t.sub].tag == tag {
			done = all[t.sub]
		}
		t.apply(tag, done)
	}
	t.sub++
}

// apply changes the names as a command did; of which name is not known when the command is zero.
func (t *teller) apply(tag string, c command) {
	switch tag {
	case "PREPARE":
		if c.name != "" {
			t.prepare(&statement{name: key(c.name), text: cut(c.text, MaxStatement), known: true})
		}
	case "DEALLOCATE":
		if c.name != "" {
			t.forget(key(c.name))
			return
		}
		clear(t.statements)
		t.used = 0
	case "DEALLOCATE ALL":
		clear(t.statements)
		t.used = 0
	case "DISCARD ALL":
		t.forgetAll()
	case "CLOSE CURSOR", "CLOSE CURSOR ALL":
		clear(t.portals)
	}
}

// named is what a name of the protocol stands for at this point; nil for unknown.
func (t *teller) named(name string) *statement {
	if s := t.parsing[key(name)]; s != nil {
		return s
	}
	return t.statements[key(name)]
}

func (t *teller) portal(name string) *portal {
	if p := t.binding[key(name)]; p != nil {
		return p
	}
	return t.portals[key(name)]
}
