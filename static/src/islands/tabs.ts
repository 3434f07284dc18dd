// Tabs inside a card (languages of a snippet): click, arrows, Home and End. Tabs that change the address are plain links.
import { all, hit } from './dom.ts';

const choose = (tab: HTMLElement): void => {
  const list = tab.closest('[role=tablist]');
  const box = tab.closest('.code, .card, [data-tabs]');
  if (!list || !box) return;
  const tabs = all('[role=tab]', list), panels = all('[role=tabpanel]', box);
  tabs.forEach((other, i) => {
    other.setAttribute('aria-selected', String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    const panel = panels[i];
    if (panel) panel.hidden = other !== tab;
  });
};
document.addEventListener('click', event => { const tab = hit(event, '[role=tab]'); if (tab && !tab.matches('a[href]')) choose(tab); });
document.addEventListener('keydown', event => {
  const tab = hit(event, '[role=tab]');
  const list = tab?.closest('[role=tablist]');
  if (!tab || !list || !['ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(event.key)) return;
  const tabs = all('[role=tab]', list), at = tabs.indexOf(tab);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key] ?? 0;
  const wanted = tabs[(next + tabs.length) % tabs.length];
  event.preventDefault();
  if (wanted) { choose(wanted); wanted.focus(); }
});
