// Name and version of what is running, written in by the build.
declare const PRODUCT_VERSION: string;

export const productVersion: string = typeof PRODUCT_VERSION === 'string' ? PRODUCT_VERSION : '0.0.0-source';

export const product = `mcp-tunnel ${productVersion}`;
