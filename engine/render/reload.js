// Reloads a page that a program keeps true, and says so when the program no longer does.
'use strict';

const written = document.querySelector('time[data-live]');

function check() {
  const age = Date.now() - Date.parse(written.dateTime);
  document.querySelector('[data-stale]').hidden = age < 1000 * Number(written.dataset.live);
}

if (written) {
  check();
  setInterval(() => {
    if (document.hidden || !getSelection().isCollapsed) {   // nobody looks, or somebody copies text
      check();
    } else {
      location.reload();   // the browser keeps the reader's place
    }
  }, 5000);
}
