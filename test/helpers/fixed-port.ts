import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A free port that the system gives to nobody else: for servers that end and come back at the same address, while connections of others
 * take ports from 32768 on.
 */
export async function fixedPort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000)
    if (await isFree(port)) return port
  }
}

/** Several, no two of them the same. */
export async function fixedPorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await fixedPort())
  return [...ports]
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const isOurs = await new Promise<boolean>((resolve) => {
    server.on('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (isOurs) await new Promise((resolve) => server.close(resolve))
  return isOurs
}
