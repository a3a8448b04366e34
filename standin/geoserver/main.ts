import { startGeoServer } from './geoserver.ts'
import { parseOptions, USAGE } from './options.ts'

/** Prints its URL as the first line and runs until it is told to stop. */
async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return console.log(USAGE)
  const geoserver = await startGeoServer(parseOptions(args))
  console.log(geoserver.url)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void geoserver.kill())
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
}
