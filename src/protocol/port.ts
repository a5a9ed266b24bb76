// A Port carries JSON text both ways, in order, one message at a time: a pipe of lines, a Unix socket,
// a webview's postMessage, an HTTP/2 stream. What travels over it is Peer's business.

export interface Port {
  send(text: string): void;
  /** At most one receiver; what came before it is set is delivered when it is. */
  onMessage(receive: (text: string) => void): void;
  /** Called once, also when the port is closed already. */
  onClose(closed: () => void): void;
  close(): void;
}
