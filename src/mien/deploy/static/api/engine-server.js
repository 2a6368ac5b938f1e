/** Where the page looks for its engine: here that is the browser itself. */

export { LocalEngine as ServerEngine } from "../engine-local.js";
