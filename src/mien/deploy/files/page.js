const MAX_SIDE = 2560; // the recognizer uses no more pixels, and hosts limit the size of requests
const $ = (id) => document.getElementById(id);
let key = "";

async function smaller(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return [file, null]; // this browser cannot show the format, but the server may read it
  }
  const ratio = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = $("picture");
  canvas.width = Math.round(bitmap.width * ratio);
  canvas.height = Math.round(bitmap.height * ratio);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  canvas.hidden = false;
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  return [blob, canvas];
}

function askForKey() {
  $("status").textContent = "This server needs a key.";
  $("key").value = "";
  $("access").hidden = false;
  $("key").focus();
  return new Promise((done) => {
    $("access").onsubmit = (event) => {
      event.preventDefault();
      $("access").hidden = true;
      done($("key").value.trim());
    };
  });
}

async function ask(blob, name) {
  const form = new FormData();
  form.append("file", blob, name);
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch("v1/identify", { method: "POST", body: form, headers });
  if (answer.status === 401) {
    key = await askForKey();
    $("status").textContent = "Looking…";
    return ask(blob, name);
  }
  const parsed = await answer.json();
  if (!answer.ok) throw new Error(parsed.detail || answer.statusText);
  const [result] = parsed.results;
  if (result.error) throw new Error(`${result.error.detail} ${result.error.hint}`);
  return result;
}

function show(result, canvas) {
  const rows = result.faces.map((face) => [
    face.name ?? "unknown",
    face.name ? `${(100 * face.probability).toFixed(0)} %` : "",
  ]);
  $("faces").replaceChildren(
    ...rows.map((texts) => {
      const row = document.createElement("tr");
      for (const text of texts) {
        row.insertCell().textContent = text;
      }
      return row;
    }),
  );
  $("status").textContent = rows.length ? "" : "No face found.";
  if (!canvas) return;
  const context = canvas.getContext("2d");
  const ratio = canvas.width / result.width;
  context.lineWidth = Math.max(2, canvas.width / 300);
  context.font = `${Math.max(14, canvas.width / 40)}px system-ui`;
  for (const face of result.faces) {
    const [x0, y0, x1, y1] = face.box.map((side) => side * ratio);
    const name = face.name ?? "unknown";
    const height = 1.4 * parseFloat(context.font);
    context.strokeStyle = context.fillStyle = face.name ? "#137a3f" : "#8a4b00";
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    context.fillRect(x0, y0 - height, context.measureText(name).width + height, height);
    context.fillStyle = "white";
    context.fillText(name, x0 + height / 2, y0 - 0.3 * height);
  }
}

$("photo").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  $("status").textContent = "Looking…";
  $("faces").replaceChildren();
  $("picture").hidden = true;
  try {
    const [blob, canvas] = await smaller(file);
    show(await ask(blob, file.name), canvas);
  } catch (error) {
    $("status").textContent = error.message;
  }
});
