// Sorts and filters tables of the class `sortable`, and opens what is folded before the page is printed.
'use strict';

const collator = new Intl.Collator(undefined, {numeric: true});

function key(row, column) {
  const cell = row.cells[column];
  return 'number' in cell.dataset ? Number(cell.dataset.number) : cell.textContent;
}

function compare(one, other) {
  if (typeof one === 'number' && typeof other === 'number') {
    return one === other ? 0 : one - other;
  }
  return collator.compare(String(one), String(other));
}

function sort(table, header) {
  const sign = header.ariaSort === 'ascending' ? -1 : 1;
  for (const each of table.tHead.rows[0].cells) {
    each.ariaSort = 'none';
  }
  header.ariaSort = sign > 0 ? 'ascending' : 'descending';
  const rows = [...table.tBodies[0].rows].map((row) => [key(row, header.cellIndex), row]);
  rows.sort(([one], [other]) => sign * compare(one, other));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function filter(table, words, output) {
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  output.textContent = words.length ? `${shown} of ${rows.length} rows` : '';
}

for (const table of document.querySelectorAll('table.sortable')) {
  for (const header of table.tHead.rows[0].cells) {
    header.firstElementChild.addEventListener('click', () => sort(table, header));
  }
  const input = table.closest('.data').querySelector('input');
  input?.addEventListener('input', () => {
    filter(table, input.value.toLowerCase().split(/\s+/).filter(Boolean), input.nextElementSibling);
  });
}

addEventListener('beforeprint', () => {
  for (const each of document.querySelectorAll('details')) {
    each.open = true;
  }
});
