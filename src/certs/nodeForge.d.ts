// Types for the two files of node-forge that are used: its whole takes 20 ms to load and 250 KiB of the bundle.
declare module 'node-forge/lib/asn1.js' {
  import type { asn1 } from 'node-forge';

  const module: typeof asn1;
  export = module;
}

declare module 'node-forge/lib/util.js' {
  import type { util } from 'node-forge';

  const module: typeof util;
  export = module;
}
