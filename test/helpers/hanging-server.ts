import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server in a process of its own, which a test can stop with SIGSTOP. Sends its port to whoever forked it. */
const server = createServer((_, response) => response.end('{}'))
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
