/** The views, in the order of their tabs. */

import * as clusters from "./clusters.js";
import * as item from "./item.js";
import * as manifold from "./manifold.js";
import * as model from "./model.js";
import * as samples from "./samples.js";
import * as training from "./training.js";
import * as walk from "./walk.js";

export const VIEWS = [manifold, clusters, walk, item, samples, training, model];
