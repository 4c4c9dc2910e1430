// Keys: j and k walk, g leads to a page, / searches, ? tells.

const typing = (element) => element.closest('input, textarea, select, [contenteditable]');

export function listen() {
  const help = document.getElementById('keys');
  const button = document.querySelector('[data-help]');
  if (button) {
    button.hidden = false;
    button.addEventListener('click', () => help.showModal());
  }
  let going = 0; // when g was pressed
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target)) {
      if (event.key === 'Escape') event.target.blur();
      return;
    }
    if (help.open) return;
    if (Date.now() - going < 1200) {
      going = 0;
      const link = [...document.querySelectorAll('.rail nav a[data-key]')].find((a) => a.dataset.key === event.key);
      if (link) {
        event.preventDefault();
        link.click();
        return;
      }
    }
    switch (event.key) {
      case 'g':
        going = Date.now();
        break;
      case 'j':
        walk('[data-row]', 1);
        break;
      case 'k':
        walk('[data-row]', -1);
        break;
      case 'n':
        walk('[data-mark]', 1, true);
        break;
      case 'p':
        walk('[data-mark]', -1, true);
        break;
      case '/': {
        const search = document.querySelector('[data-search]');
        if (!search) return;
        event.preventDefault();
        search.focus();
        search.select?.();
        break;
      }
      case '?':
        help.showModal();
        break;
    }
  });
}

// walk moves the focus through the links that match; follow opens them as well.
function walk(selector, step, follow = false) {
  const all = [...document.querySelectorAll(selector)];
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  next.focus();
  if (follow) next.click();
  else next.scrollIntoView({ block: 'nearest' });
}
