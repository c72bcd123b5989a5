// Returns what keeps readers from reading a page: those who hear it, use its keys, or hold a phone.
() => {
  const problems = [];
  const say = (problem, element) => problems.push(`${problem}: ${element.outerHTML.slice(0, 120)}`);
  const shown = (element) => element.checkVisibility() && element.getClientRects().length;

  if (!document.documentElement.lang) problems.push('no language');
  if (!document.title) problems.push('no title');

  // Everything that is no text has a name, or is marked as decoration.
  for (const image of document.querySelectorAll('svg, img, input, nav, [role=region], [role=img]')) {
    if (image.closest('[aria-hidden=true]') || image.parentElement.closest('[role=img]')) continue;
    if (image.matches('svg, img') && image.getAttribute('role') !== 'img') say('no role', image);
    if (!image.getAttribute('aria-label')) say('no name', image);
  }
  for (const table of document.querySelectorAll('table')) {
    if (table.closest('.prose')) continue;
    if (!table.caption || !table.caption.textContent) say('no caption', table);
    for (const cell of table.tHead.rows[0].cells) if (cell.scope !== 'col') say('no scope', cell);
  }

  // Headings begin with the only h1, and none skips a level.
  const levels = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((each) => Number(each.tagName[1]));
  if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) problems.push(`headings: ${levels}`);
  levels.slice(1).forEach((level, index) => {
    if (level > levels[index] + 1) problems.push(`heading ${level} follows ${levels[index]}`);
  });
  const ids = [...document.querySelectorAll('[id]')].map((each) => each.id);
  if (new Set(ids).size !== ids.length) problems.push('an id occurs twice');
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    if (!ids.includes(link.hash.slice(1)) && !ids.includes(decodeURIComponent(link.hash.slice(1)))) say('leads nowhere', link);
  }

  // What is wider than its place scrolls there, and can be scrolled by keys.
  for (const element of document.querySelectorAll('body *')) {
    const style = getComputedStyle(element);
    if (!shown(element) || element.closest('svg, caption') || style.display === 'inline') continue;
    if (element.scrollWidth <= element.clientWidth + 1 || !element.clientWidth) continue;
    if (style.overflowX === 'auto' && element.matches('.wide[tabindex="0"], .prose table, .prose pre')) continue;
    say(`wider than its box (${element.scrollWidth} in ${element.clientWidth})`, element);
  }

  // Text stays inside its card, and has a contrast of 4.5 to its background.
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (text.nextNode()) {
    const parent = text.currentNode.parentElement;
    if (!text.currentNode.textContent.trim() || !shown(parent) || parent.closest('script, style, title, caption, .skip')) continue;
    const range = document.createRange();
    range.selectNodeContents(text.currentNode);
    const box = range.getBoundingClientRect(), card = parent.closest('.card, .fact, figure');
    if (card && !parent.closest('.wide') && (box.right > card.getBoundingClientRect().right + 1 || box.left < card.getBoundingClientRect().left - 1)) say('leaves its card', parent);
    if (parent.closest('.plot') && parent.textContent.match(/^[\d.,% ]+$/)) continue; // numbers on coloured cells
    const contrast = ratio(colour(getComputedStyle(parent)[parent.closest('svg') ? 'fill' : 'color']), background(parent));
    if (contrast < 4.5) say(`contrast ${contrast.toFixed(2)}`, parent);
  }
  return problems;

  function colour(css) {
    return css.match(/[\d.]+/g).map(Number);
  }
  function background(element) {
    for (let each = element; each; each = each.parentElement) {
      const [red, green, blue, opacity = 1] = colour(getComputedStyle(each).backgroundColor);
      if (opacity > 0.99) return [red, green, blue];
    }
    return [255, 255, 255];
  }
  function luminance([red, green, blue]) {
    const [r, g, b] = [red, green, blue].map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function ratio(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  }
}
