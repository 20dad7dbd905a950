/* Charts come drawn. Here their words appear at once beside pointer and focus, where a browser would let one wait. */
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);

const marked = (target) => target.closest?.(".chart .mark");

function show(mark, x, y) {
  tip.textContent = mark.dataset.words;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 14 + width > innerWidth ? x - 14 - width : x + 14;
  const top = y + 14 + height > innerHeight ? y - 14 - height : y + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}

export function drawAll(root) {
  /* The words of a mark move from its title, which browsers show late, to where the tip finds them. */
  for (const title of root.querySelectorAll?.(".chart .mark > title") ?? []) {
    const mark = title.parentNode;
    mark.dataset.words = title.textContent;
    mark.setAttribute("aria-label", title.textContent.replaceAll("\n", ", "));
    if (mark.localName === "g") mark.setAttribute("role", "img");
    title.remove();
  }
}

document.addEventListener("pointermove", (event) => {
  const mark = marked(event.target);
  if (mark?.dataset.words) show(mark, event.clientX, event.clientY);
  else tip.hidden = true;
});
document.addEventListener("focusin", (event) => {
  const mark = marked(event.target);
  if (!mark?.dataset.words) return;
  const box = mark.getBoundingClientRect();
  show(mark, box.right, box.bottom);
});
document.addEventListener("focusout", () => { tip.hidden = true; });
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true, capture: true });

/* A choice in a form of choices counts at once. */
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form.choices");
  if (form && event.target.matches("select")) form.requestSubmit();
});

/* A number that belongs to a name is sent as one: `Ta:5`. */
document.addEventListener("input", (event) => {
  const { held } = event.target.dataset ?? {};
  if (held) event.target.nextElementSibling.value = `${held}:${event.target.value}`;
});
