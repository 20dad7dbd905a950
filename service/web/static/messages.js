/* Short messages at the edge of the page. */
export function say(text, kind = "") {
  const message = document.createElement("div");
  message.className = kind;
  message.textContent = text;
  document.getElementById("messages").append(message);
  setTimeout(() => message.remove(), kind === "bad" ? 9000 : 4500);
}
