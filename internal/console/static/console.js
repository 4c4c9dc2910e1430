// The console works without this file; with it, lists move by themselves and keys work. No text is ever parsed as HTML:
// templates are cloned and textContent is set.
import { keepTimes } from './times.js';
import { follow } from './live.js';
import { listen } from './keys.js';

keepTimes();
follow();
listen();
