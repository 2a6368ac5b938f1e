/** The page without the network: its service worker, and the switch to a new version. */

const WAIT_MS = 3000;

/**
 * If a new version of the site is completely cached, switch to it before anything is loaded, so
 * that one visit uses one version.
 */
export async function switchToNewVersion(base) {
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

/** Cache the whole site; called after the recognizer is loaded, so that nothing is fetched twice. */
export async function cacheSite(base) {
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
