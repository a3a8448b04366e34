import { INDEX_PATH } from './index-pages.ts'
import { MISSING_PATH } from './missing.ts'

export const README_PATH = '/__readme.txt'

const WGET = 'wget --recursive --level=20 --no-host-directories --cut-dirs=2 --no-parent --reject "index.html*"'

/**
 * What can be done with this very server, as commands that work. `base` is `http://host:port` of characters that mean nothing to a shell, as are
 * names of trees and the segments of children. facts: nginx.filedist's readme; its two commands for what is missing are the same here.
 */
export function readme(base: string, trees: readonly string[], children: readonly string[]): string {
  const parts = [
    `# This is ${base}${README_PATH}`,
    '# Where a key is needed: curl -H "authorization: Bearer KEY" …, wget --header "authorization: Bearer KEY" …',
    ...trees.map((tree) => ofTree(base, tree)),
    ...children.map((child) => ofChild(base, child)),
  ]
  return `${parts.join('\n\n')}\n`
}

function ofTree(base: string, tree: string): string {
  const file = `${base}/${tree}/some/path/file.mp3`
  return `################ ${tree}
# Save a file, on every node of the tree:
curl -i --upload-file PATH_TO_SOMEFILE ${file}

# Likewise, and be answered when more than half of the nodes have it; or local, one, all:
curl -i --upload-file PATH_TO_SOMEFILE "${file}?ack=quorum"

# Delete a file, on every node:
curl -i -X DELETE ${file}

# Look at it, and at a part of it:
curl -I ${file}
curl -H Range:bytes=0-99 ${file}

# Download all files to a new node; to be run in the folder of the tree there. --limit-rate=20m spares those who read:
${WGET} ${base}${INDEX_PATH}/${tree}/`
}

function ofChild(base: string, child: string): string {
  const page = `${base}${MISSING_PATH}/${child}`
  return `################ what ${child} lacks, which is sent by itself as soon as it can be
# By hand, in the folder there that holds the folders of the trees. Brings deletions as well, and verifies:
curl -fsS -o catchup.sh ${page}/catchup.sh && sh catchup.sh

# Get missing files of today:
${WGET} ${page}/\`date +%Y-%m-%d\`.log.html
# Get all missing files:
${WGET} ${page}/
# In the folder of the tree itself: --cut-dirs=3. Names beyond ASCII need --restrict-file-names=nocontrol besides. Files that are called
# index.html, or have a percent sign and two hexadecimal digits in their name, are fetched by catchup.sh only.`
}
