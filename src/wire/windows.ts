// The numbers of a link: how much may be under way, on how many streams. Throughput of a fixed window is about
// 0.4 × window ÷ round trip, so Node's 64 KiB would give a far agent a tenth of its line.

const mebibyte = 1 << 20;

/** What one visitor may have under way before the reader has taken it; at the limit the sender waits. */
export const streamWindowBytes = 4 * mebibyte;

/** What all visitors of one link may have in the air together; at the limit all senders wait. */
export const linkWindowBytes = 16 * mebibyte;

/**
 * What may wait for readers at one end of a link together, all its streams; at the limit the stream with most is cut off.
 * HTTP/2 has no such bound but its windows; the edge's own, over all links, is in `edgeLimits.ts` and lower.
 */
export const maxUnreadBytesPerLink = 96 * mebibyte;

/** Visitors of one link at a time; the edge turns away the next one. */
export const maxStreamsPerLink = 2048;

/** Memory of one HTTP/2 session for frames and headers, in Node's unit (MB); at the limit new streams are refused. */
export const maxSessionMemoryMb = 256;

/** Names and values of one stream's headers together; ours need about 200 bytes. */
export const maxHeaderBytes = 4096;

/** One message of the control stream; a longer one ends the conversation. */
export const maxControlLineBytes = 64 * 1024;

/** What both ends pass to Node's HTTP/2. The edge opens all streams, so its own limit is the connector's to set. */
export const sessionOptions = {
  maxSessionMemory: maxSessionMemoryMb,
  maxHeaderListPairs: 16,
  settings: {
    enablePush: false,
    initialWindowSize: streamWindowBytes,
    maxConcurrentStreams: maxStreamsPerLink + 1, // The control stream is one more.
    maxHeaderListSize: maxHeaderBytes,
  },
} as const;
