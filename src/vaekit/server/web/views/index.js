/** The views, in the order of their tabs; the module of one is read when it is first shown. */

export const VIEWS = [
  { id: "manifold", title: "Manifold", load: () => import("./manifold.js") },
  { id: "clusters", title: "Clusters", load: () => import("./clusters.js") },
  { id: "walk", title: "Walk", load: () => import("./walk.js") },
  { id: "item", title: "Your own item", load: () => import("./item.js") },
  { id: "samples", title: "Samples", load: () => import("./samples.js") },
  { id: "training", title: "Training", load: () => import("./training.js") },
  { id: "model", title: "Model", load: () => import("./model.js") },
];
