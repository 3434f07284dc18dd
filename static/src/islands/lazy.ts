// Heavy islands load when a page first needs them: <bh-chart> brings lazy/chart.ts, <bh-run-table> brings lazy/run-table.ts.
const known = import.meta.glob<unknown>('./lazy/*.ts');

const load = (root: ParentNode): void => {
  for (const element of root.querySelectorAll(':not(:defined)')) {
    const path = `./lazy/${element.localName.replace(/^bh-/, '')}.ts`;
    void known[path]?.();
  }
};

load(document);
new MutationObserver(changes => {
  if (changes.some(change => change.addedNodes.length)) load(document);
}).observe(document.body, { childList: true, subtree: true });
