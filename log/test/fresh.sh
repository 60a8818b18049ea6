#!/bin/sh
# What is generated is what its source says. Usage: fresh.sh PYTHON
bad=0
"$1" log/gen_wire.py --check decoder/wire.py || bad=$((bad + 1))
"$1" log/gen_vectors.py | cmp -s - log/vectors.json || {
    echo "log/vectors.json is not what log/gen_vectors.py makes: run \`make log-generate\`"
    bad=$((bad + 1))
}
echo "$((2 - bad)) passed, $bad failed"
[ "$bad" -eq 0 ]
