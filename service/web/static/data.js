/* The data page: choose rows to retract; check a file row by row before it is stored. */
import { newKey } from "./forms.js";
import { say } from "./messages.js";
import { faultsOf, spoken } from "./said.js";

const TYPES = { csv: "text/csv", tsv: "text/csv", txt: "text/csv", ndjson: "application/x-ndjson", jsonl: "application/x-ndjson", parquet: "application/vnd.apache.parquet", json: "application/json" };
const SHOWN = 30;
const form = document.getElementById("upload");
const report = document.getElementById("upload-report");
const errors = form.querySelector(".errors");
const store = document.getElementById("upload-store");
const words = JSON.parse(document.getElementById("upload-words").textContent);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
let key = newKey();

function chosen() {
  return [...document.querySelectorAll("[data-reading]:checked")].map((box) => box.value);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-reading]")) {
    const ids = chosen();
    document.getElementById("retract-chosen").disabled = ids.length === 0;
    document.getElementById("chosen-count").textContent = ids.length;
    document.querySelector('#retract-ids [name="/ids"]').value = ids.join(" ");
  }
  if (event.target.matches("[data-kind]")) {
    for (const group of event.target.form.querySelectorAll("[data-of]")) {
      group.hidden = group.dataset.of !== event.target.value;
      for (const field of group.querySelectorAll("select, input")) field.disabled = group.hidden;
    }
  }
});

/* Rows that were chosen stay until something is done with them, also if newer ones were asked for a moment before. */
for (const moment of ["htmx:beforeRequest", "htmx:beforeSwap"]) {
  document.addEventListener(moment, (event) => {
    if (event.detail.elt.id === "readings" && chosen().length) event.preventDefault();
  });
}
document.addEventListener("api-done", () => {
  for (const box of document.querySelectorAll("[data-reading]:checked")) box.checked = false;
  document.getElementById("retract-chosen").disabled = true;
});

/* What is wrong, row by row; `row` is null for what is wrong with all of it. */
async function list(found) {
  const rows = found.slice(0, SHOWN);
  const said = await spoken(rows.flatMap(({ faults }) => faults));
  errors.replaceChildren(...rows.map(({ row, faults }) => {
    const item = document.createElement("li");
    if (row !== null) {
      const where = document.createElement("b");
      where.textContent = fill(words.row, { row: row + 1 });
      item.append(where, " ");
    }
    for (const [k, fault] of said.splice(0, faults.length).entries()) item.append(k ? "; " : "", fault);
    return item;
  }));
}

function told(lines) {
  report.replaceChildren(...lines.map(([kind, text]) => {
    const line = document.createElement("p");
    line.className = `note ${kind}`;
    line.append(text);
    return line;
  }));
}

async function sent(checkOnly) {
  const file = form.elements.file.files[0];
  if (!file) return null;
  const type = TYPES[file.name.split(".").at(-1).toLowerCase()] ?? "text/csv";
  const asked = new URLSearchParams({ atomic: String(!form.elements.partial.checked && !checkOnly), validate_only: String(checkOnly) });
  if (type !== "application/json") asked.set("instrument", form.elements.instrument.value.trim());
  const headers = { "Content-Type": type, "Idempotency-Key": checkOnly ? newKey() : key };
  return fetch(`/v1/campaigns/${form.dataset.campaign}/measurement-batches?${asked}`, { method: "POST", headers, body: file });
}

async function refused(problem) {
  const [said] = await spoken(faultsOf({ detail: problem.detail }, words.wrong));
  told([["bad", said]]);
  await list((problem.errors ?? []).map((error) => ({ row: error.row ?? null, faults: [error] })));
}

async function check() {
  store.disabled = true;
  errors.replaceChildren();
  if (!form.elements.file.files.length || !form.elements.instrument.value.trim()) return;
  let answer;
  let body;
  try { answer = await sent(true); body = await answer.json(); } catch { told([["bad", words.lost]]); return; }
  if (!answer.ok) { await refused(body); return; }
  const bad = (body.results ?? []).filter((result) => result.status === "refused");
  const lines = [];
  if (body.accepted) lines.push(["good", fill(words.ready, { n: body.accepted })]);
  if (body.duplicates) lines.push(["", fill(words.duplicates, { n: body.duplicates })]);
  if (body.refused) lines.push(["bad", fill(words.refused, { n: body.refused })]);
  told(lines);
  await list(bad.map((result) => ({ row: result.row, faults: result.errors })));
  store.disabled = body.accepted === 0 || (body.refused > 0 && !form.elements.partial.checked);
  key = newKey();
}

form.addEventListener("submit", (event) => { event.preventDefault(); check(); });
form.addEventListener("change", check);
store.addEventListener("click", async () => {
  store.disabled = true;
  try {
    const answer = await sent(false);
    const body = await answer.json();
    if (!answer.ok) { await refused(body); return; }
    told([["good", fill(words.stored, { n: body.accepted })]]);
    say(fill(words.stored, { n: body.accepted }));
    errors.replaceChildren();
    form.elements.file.value = "";
    document.body.dispatchEvent(new CustomEvent("campaign-changed"));
  } catch { store.disabled = false; told([["bad", words.lost]]); }
});
