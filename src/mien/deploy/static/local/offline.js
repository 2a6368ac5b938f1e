/** The page without the network: its service worker, and how a newer version takes its place. */

const WAIT_MS = 3000;

/**
 * If a newer version of the site is here whole, go over to it now, before anything is loaded: one
 * visit sees one version.
 */
export async function replaceByNewer(base) {
  const registration = await registered(base);
  if (!registration?.waiting) return;
  const taken = new Promise((resolve) =>
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true), {
      once: true,
    }),
  );
  registration.waiting.postMessage("take-over");
  if (await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, WAIT_MS, false))])) {
    location.reload();
    await new Promise(() => {});
  }
}

/** Keep the whole site in this browser; called when the recognizer is loaded, so that nothing comes twice. */
export async function readyForOffline(base) {
  try {
    const worker = navigator.serviceWorker; // undefined where the page is not secure
    await worker?.register(new URL("sw.js", base), { scope: base, updateViaCache: "none" });
    await worker?.ready;
    document.documentElement.dataset.offline = worker ? "ready" : "never";
  } catch {
    document.documentElement.dataset.offline = "never";
  }
}

async function registered(base) {
  try {
    return await navigator.serviceWorker?.getRegistration(base);
  } catch {
    return null;
  }
}
