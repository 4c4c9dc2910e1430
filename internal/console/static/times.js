// Relative times, kept current. The server has written them already.

function length(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d`;
}

export function ago(date, now = Date.now()) {
  const seconds = (now - date.getTime()) / 1000;
  if (Number.isNaN(seconds) || date.getFullYear() < 2000) return 'never';
  if (seconds < -1) return `in ${length(-seconds)}`;
  if (seconds < 2) return 'just now';
  return `${length(seconds < 3600 ? seconds : seconds - (seconds % 3600))} ago`;
}

export function setTime(element, date) {
  element.dateTime = date.toISOString();
  element.title = `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  element.textContent = ago(date);
}

export function keepTimes() {
  setInterval(() => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll('time[data-ago]')) {
      const text = ago(new Date(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  }, 5000);
}
