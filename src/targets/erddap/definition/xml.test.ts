import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

/** Reads one file after the other, and prints how many megabytes lay among what V8 takes for lasting. */
const READS = `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { parseXml } from ${JSON.stringify(import.meta.resolve('./xml.ts'))}
  const text = '<dataset>' + '<a><b>1</b><c>2</c><d>3</d></a>'.repeat(600) + '</dataset>'
  const lasting = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size
  const before = lasting()
  let most = 0
  for (let file = 0; file < 200; file++) {
    parseXml(text)
    most = Math.max(most, lasting() - before)
  }
  console.log(most / 1e6)`

test('what is read of a file lasts no longer than the file, even if memory is first looked through in the middle of it', async () => {
  // With little room for what is new, memory is looked through once or twice a file: so it is in the middle of the first.
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--max-semi-space-size=2',
    '--input-type=module',
    '--eval',
    READS,
  ])
  expect(Number(stdout)).toBeLessThan(10)
})
