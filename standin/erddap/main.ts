import { startErddap } from './erddap.ts'
import { parseOptions, USAGE } from './options.ts'

/** Prints its URL as the first line and runs until it is told to stop. */
async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return console.log(USAGE)
  const erddap = await startErddap(parseOptions(args))
  console.log(erddap.url)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void erddap.close())
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
}
