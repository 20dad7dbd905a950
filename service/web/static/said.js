/* Messages of the service come in English. A page in another language asks for their words in its own. */
const { lang } = document.documentElement;

async function translated(texts) {
  const asTheyCame = texts.map((text) => [[text, "en"]]);
  if (lang === "en" || !texts.length) return asTheyCame;
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/said", { method: "POST", headers, body: JSON.stringify({ texts }) });
    return answer.ok ? (await answer.json()).said : asTheyCame;
  } catch { return asTheyCame; }
}

function written(pieces) {
  const whole = document.createDocumentFragment();
  for (const [text, language] of pieces) {
    if (!language || language === lang) { whole.append(text); continue; }
    const foreign = document.createElement("span");
    foreign.lang = language;
    foreign.textContent = text;
    whole.append(foreign);
  }
  return whole;
}

/* What is wrong by a problem: its faults, else its detail, else the page's own words. */
export function faultsOf(problem, otherwise) {
  if (problem.errors?.length) return problem.errors;
  return [problem.detail ? { message: problem.detail } : { own: otherwise }];
}

/* What is to be shown of each fault: its `own` words are the page's already, its `message` is the service's. */
export async function spoken(faults) {
  const foreign = faults.filter((fault) => fault.own === undefined);
  const found = await translated(foreign.map((fault) => fault.message));
  const pieces = new Map(foreign.map((fault, k) => [fault, found[k]]));
  return faults.map((fault) => written(pieces.get(fault) ?? [[fault.own, null]]));
}
