import { setImmediate } from 'node:timers/promises'
import { keepCompiled } from '../lib/keep-compiled.ts'
import { systemClock } from '../lib/system-clock.ts'
import type { Context } from './context.ts'
import { renderError } from './errors.ts'
import { main } from './main.ts'
import { Output, type Sink } from './output.ts'

const INPUT_BYTES_MAX = 1024 * 1024

/** Runs the command line of this process, and ends it with the command's exit code. */
export async function start(): Promise<void> {
  keepCompiled()
  const stop = new AbortController()
  let signals = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    signals++
    // The second one means "now": a service that hangs while stopping must not need kill -9.
    if (signals > 1) process.exit(130)
    stop.abort(new Error(`stopped by ${signal}`))
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  let lost: Error | undefined
  const out = sink(process.stdout, (error) => (lost ??= error))
  const context: Context = {
    output: new Output(out, sink(process.stderr), process.env),
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    signal: stop.signal,
    readInput,
  }
  // Nothing should get past the commands. What does must not show a stack to people either.
  process.on('uncaughtException', (error) => {
    process.exit(renderError(error, context.output, { json: false, debug: process.argv.includes('--debug') }))
  })
  const code = await main(process.argv.slice(2), context)
  await written(process.stdout)
  if (lost === undefined) process.exit(code)
  const json = process.argv.includes('--json')
  const failed = renderError(Object.assign(lost, { path: 'standard output' }), context.output, { json, debug: false })
  process.exit(code === 0 ? failed : code)
}

/** Until everything that was written is out, or was refused and the listeners have heard of it. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writable) await new Promise<void>((resolve) => void stream.write('', () => resolve()))
  await setImmediate()
}

/** A reader that goes away (`flotilla history | head -1`) is no error: what is left is not written. Any other loss is told. */
function sink(stream: NodeJS.WriteStream, onLost?: (error: Error) => void): Sink {
  let closed = false
  stream.on('error', (error: NodeJS.ErrnoException) => {
    closed = true
    if (error.code !== 'EPIPE') onLost?.(error)
  })
  return {
    write: (text) => {
      if (!closed) stream.write(text)
    },
    get columns() {
      return stream.isTTY ? stream.columns : undefined
    },
    get closed() {
      return closed
    },
  }
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.byteLength
    if (size > INPUT_BYTES_MAX) throw new Error('standard input is longer than 1 MiB')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
