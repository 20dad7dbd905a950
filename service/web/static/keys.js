/* A new key is shown once, in a dialog that only closes by saying so. */
document.addEventListener("api-done", (event) => {
  const secret = event.detail.secret;
  if (!secret) return;
  event.target.closest("dialog")?.close();
  document.getElementById("secret-text").textContent = secret;
  document.getElementById("secret").showModal();
});
document.getElementById("secret").addEventListener("cancel", (event) => event.preventDefault());
document.getElementById("secret-copy").addEventListener("click", async (event) => {
  const button = event.target;
  const secret = document.getElementById("secret-text");
  try {
    await navigator.clipboard.writeText(secret.textContent);
    button.textContent = button.dataset.done;
  } catch {  // plain http gives pages no clipboard, and a person may forbid it: chosen, it is copied by hand
    secret.focus();
    getSelection().selectAllChildren(secret);
    button.textContent = button.dataset.byHand;
  }
});
