/** `npm run docs`: writes docs/reference anew from the code. */
import { join } from 'node:path'
import { writeAtomic } from '../src/lib/atomic-file.ts'
import { referencePages } from './reference/pages.ts'

const folder = join(import.meta.dirname, '../docs/reference')
for (const [name, text] of await referencePages()) {
  console.log(`docs/reference/${name}: ${await writeAtomic(join(folder, name), text)}`)
}
