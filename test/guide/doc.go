// Package guide keeps the guides true: it reads the code blocks of docs/guide in order and does what they say, in an empty
// directory, with a real PostgreSQL, a real identity provider and the real gateway, and compares what is printed with what
// the guide shows. The guides to engines show a configuration, rules and a client each, which are put together and run in
// front of the real database, or of a stand-in for it that the test names as one. Of what they show nothing is changed but
// addresses: those at which listeners listen, and those of databases.
//
// What a block is, its info string says (the first word is for the reader's eyes, the rest is not shown by GitHub):
//
//	```sh                       commands, all of which must work
//	```sh elsewhere=TestX       the same, and TestX is what runs them
//	```console                  commands after "$ ", each followed by what it prints; "…" stands for anything in a line, and
//	                            alone on a line for any lines
//	```console terminal=sam     the same in another terminal: the command goes on while the guide does; a later block of the
//	                            terminal that begins without "$ " is what it prints next, and "^C" interrupts it
//	```console expect-failure   the last command must fail
//	```yaml title=vecgate.yaml  a file
//	```text                     nothing to do
//
// A comment <!-- browser user=anna open=URL press=Approve --> is what the sentence before it tells the reader to do in a browser.
//
// It knows nothing of what the commands do. Start at Read and Desk.Follow.
package guide
