# A line between two addresses of this network namespace, packet by packet: what is sent to 10.77.0.2 comes back to
# 10.77.0.1 as if a machine of that address had sent it, at a rate, after a delay, through a buffer that drops its tail,
# and with packets lost by chance. TCP on both sides is the kernel's own, so congestion control, retransmission and send
# buffers are real. Servers listen on ports below 32768: that tells the two directions of the line apart.
# Arguments: bits a second, delay of one direction in ms, buffer in bytes, share of packets lost. Ends with its stdin.
import collections, fcntl, os, random, select, struct, subprocess, sys, time

rate, delay, buffer_bytes, loss = int(sys.argv[1]) / 8, float(sys.argv[2]) / 1000, int(sys.argv[3]), float(sys.argv[4])
random.seed(1)
tun = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
IFF_TUN, IFF_NO_PI, TUNSETIFF = 0x0001, 0x1000, 0x400454CA
fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH', b'line0', IFF_TUN | IFF_NO_PI))
for command in ('link set lo up', 'address add 10.77.0.1/24 dev line0', 'link set line0 txqueuelen 10000 up',
                # What most senders of the internet use, whatever this host does.
                'route replace 10.77.0.0/24 dev line0 src 10.77.0.1 congctl cubic'):
    subprocess.run(['ip', *command.split()], check=True)
print('ready', flush=True)

class Direction:
    def __init__(self):
        self.free = 0.0  # When the last packet has left the buffer.
        self.packets = collections.deque()

directions = (Direction(), Direction())
monotonic = time.monotonic
while True:
    dues = [d.packets[0][0] for d in directions if d.packets]
    wait = max(0.0, min(dues) - monotonic()) if dues else None
    ready, _, _ = select.select([tun, 0], [], [], wait)
    if 0 in ready and not os.read(0, 100):
        break
    if tun in ready:
        for _ in range(256):
            try:
                packet = os.read(tun, 65536)
            except BlockingIOError:
                break
            if packet[0] >> 4 != 4 or len(packet) < 24:
                continue
            now = monotonic()
            direction = directions[packet[20] >> 7]
            start = max(now, direction.free)
            if (start - now) * rate > buffer_bytes or random.random() < loss:
                continue
            direction.free = start + len(packet) / rate
            # Both addresses change places; their sum, and with it every checksum, stays what it was.
            back = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
            direction.packets.append((direction.free + delay, back))
    now = monotonic()
    for direction in directions:
        packets = direction.packets
        while packets and packets[0][0] <= now:
            try:
                os.write(tun, packets.popleft()[1])
            except OSError:
                pass
