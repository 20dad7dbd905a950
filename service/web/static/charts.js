/* Draws every <figure data-chart="name">: charts/<name>.js is loaded when the first one is there. */
const drawn = new WeakMap();

export async function drawAll(root) {
  const figures = [...(root.querySelectorAll?.("figure[data-chart]") ?? [])];
  if (root.matches?.("figure[data-chart]")) figures.push(root);
  for (const figure of figures) {
    const numbers = figure.querySelector('script[type="application/json"]');
    if (!numbers) continue;
    const { draw } = await import(`./charts/${figure.dataset.chart}.js`);
    const data = drawn.get(numbers) ?? JSON.parse(numbers.textContent);
    drawn.set(numbers, data);
    draw(figure, data);
  }
}
