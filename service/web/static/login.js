/* A key behind the address' # is taken at once, and the address is forgotten: it never reached a server or a log. Where
 * somebody is let in already a click is asked for: a foreign link shall not have them work under a key of its own. */
const form = document.getElementById("login");
const key = decodeURIComponent(location.hash.slice(1));
if (key.startsWith("flp_")) {
  history.replaceState(null, "", location.pathname + location.search);
  form.elements["/key"].value = key;
  if (!("asks" in form.dataset)) form.requestSubmit();
}
