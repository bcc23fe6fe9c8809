/** The views, in the order of their tabs. */

import * as clusters from "./clusters.js";
import * as manifold from "./manifold.js";

export const VIEWS = [manifold, clusters];
