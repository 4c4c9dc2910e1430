// Package netloop serves many connections from one goroutine. Go gives every connection a goroutine, and hands each to
// whichever processor is free when its socket has something to say: for a gateway, whose every request is four short waits,
// waking and moving goroutines costs more than the requests do. Here a Task is a goroutine too, written as any other, but
// while it is attached to its Loop it runs only when the loop switches to it, on the processor where the loop is, without
// the scheduler: when its connection can be read or written, or when somebody calls Wake.
//
// What may take long must not run on a loop, because the other tasks of the loop wait meanwhile. A task detaches itself
// before, and is an ordinary goroutine until it attaches itself again; its connections work in both states.
//
// It refuses to know protocols. Start at Set.Go and Task.Conn.
package netloop
