/** Replaces the server's engine: the page imports this file, and gets the engine in the browser. */

export { LocalEngine as ServerEngine } from "../engine-local.js";
