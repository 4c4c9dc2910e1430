// Access requests as they change: rows of a list, and the card of one.
import { setTime } from './times.js';

const fits = {
  waiting: (row) => row.state === 'open' && row.may,
  open: (row) => row.state === 'open',
  mine: (row) => row.mine,
  all: () => true,
};

export function follow() {
  const list = document.querySelector('ol[data-live]');
  const card = document.querySelector('[data-request]');
  if (!list && !card) return;
  const dot = document.querySelector('[data-livedot]');
  let events;
  let missed = false;
  let leaving = false;

  const open = () => {
    if (events || leaving || document.hidden) return;
    events = new EventSource('/requests/events');
    events.addEventListener('alive', () => {
      if (dot) dot.hidden = false;
      if (missed) refresh(); // what happened meanwhile is not sent again
      missed = false;
    });
    events.addEventListener('request', (event) => change(JSON.parse(event.data)));
    events.addEventListener('again', refresh);
    events.addEventListener('error', () => {
      missed = true;
      if (dot) dot.hidden = true;
    });
  };
  const close = () => {
    if (!events) return;
    events.close(); // browsers keep only few connections to one host; a page that nobody sees must not hold one
    events = undefined;
    missed = true;
  };
  const change = (row) => {
    if (list) show(list, row);
    if (card && card.dataset.request === row.id) refresh();
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  document.addEventListener('submit', () => { // the answer to the form is the next page; our own change must not reload this one
    leaving = true;
    close();
  });
  open();
}

// show puts a row in, changes it, or takes it out.
function show(list, row) {
  const old = [...list.children].find((item) => item.dataset.id === row.id);
  const wanted = fits[list.dataset.view] ?? fits.all;
  if (!wanted(row)) {
    if (old && old.contains(document.activeElement)) {
      (old.nextElementSibling ?? old.previousElementSibling)?.querySelector('a')?.focus();
    }
    old?.remove();
  } else if (old) {
    fill(old, row);
  } else {
    const fresh = document.getElementById('request-row').content.cloneNode(true);
    fill(fresh.querySelector('li'), row);
    list.prepend(fresh);
  }
  const empty = list.parentElement.querySelector('.empty');
  if (empty) empty.hidden = list.children.length > 0;
  if (list.dataset.view === 'waiting') waiting(list.children.length);
}

function fill(item, row) {
  item.dataset.id = row.id;
  item.querySelector('a').href = `/requests/${encodeURIComponent(row.id)}`;
  for (const element of item.querySelectorAll('[data-f]')) {
    switch (element.dataset.f) {
      case 'state':
        element.className = `pill s-${row.state}`;
        element.textContent = row.state;
        break;
      case 'action':
        element.className = `act g-${row.gravity}`;
        element.textContent = row.action;
        break;
      case 'created':
        setTime(element, new Date(row.created));
        break;
      case 'yours':
        element.textContent = row.may ? 'your word' : row.mine ? 'yours' : '';
        break;
      default:
        element.textContent = row[element.dataset.f] ?? '';
    }
  }
}

// waiting keeps the numbers that say how much waits.
function waiting(n) {
  document.title = document.title.replace(/^\(\d+\) /, '');
  if (n) document.title = `(${n}) ${document.title}`;
  const tile = document.querySelector('[data-waiting-n]');
  if (tile) tile.textContent = n;
  const badge = document.querySelector('[data-waiting]');
  if (badge) {
    badge.firstChild.textContent = n;
    badge.hidden = n === 0;
  }
}

// refresh shows the page anew, unless somebody is writing.
function refresh() {
  const reason = document.getElementById('reason');
  if (!reason || reason.value === '') {
    location.reload();
    return;
  }
  if (document.getElementById('changed')) return;
  const note = document.createElement('p');
  note.id = 'changed';
  note.className = 'note';
  note.setAttribute('role', 'status');
  note.textContent = 'This request has changed since you opened it. ';
  const link = document.createElement('a');
  link.href = location.pathname;
  link.textContent = 'Show it as it is now';
  note.append(link);
  reason.closest('form').before(note);
}
