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
  await navigator.clipboard?.writeText(document.getElementById("secret-text").textContent);
  event.target.textContent = event.target.dataset.done;
});
