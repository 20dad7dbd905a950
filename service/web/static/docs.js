/* Swagger UI on our own description. A fresh key for each request, so that "try it" needs nothing but a click. */
import { newKey } from "./forms.js";

const answer = await fetch("/openapi.json");
const spec = await answer.json();
for (const methods of Object.values(spec.paths)) {
  for (const operation of Object.values(methods)) {
    for (const parameter of operation.parameters ?? []) {
      if (parameter.name === "Idempotency-Key") parameter.schema = { ...parameter.schema, default: newKey() };
    }
  }
}

window.SwaggerUIBundle({
  spec,
  dom_id: "#swagger",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  persistAuthorization: false,
  syntaxHighlight: { activated: false },
  requestInterceptor: (request) => {
    if (request.headers["Idempotency-Key"]) request.headers["Idempotency-Key"] = newKey();
    return request;
  },
});
