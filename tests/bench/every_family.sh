#!/bin/sh
# Speed of every family on images of 28x28x1, of small networks and one of the size that docs/performance.md is about, kept in results/bench.
# On a quiet machine of two cores about eight minutes: `sh tests/bench/every_family.sh [DIR]`; measurements of other code stay beside.
set -e
results=${1:-results}
measure() { python -m pixelbench bench "$@" --device cpu --results "$results"; }

measure uniform histogram png webp --batch 64 --seconds 5
measure mixture-of-bernoullis fvsbn --batch 100 --seconds 10
measure nade --set hidden=500 --batch 100 --seconds 10
measure made --set hidden=1000 --set direct=true --batch 100 --seconds 10
measure gated-pixelcnn --set layers=7 --set maps=64 --set head_maps=32 --set skip=true --set head=bernoulli --batch 64 --seconds 60
measure pixelcnn --set layers=7 --set maps=64 --set head_maps=32 --set head=bernoulli --batch 16 --seconds 25
measure pixelcnn-plain --set layers=7 --set maps=64 --set head=bernoulli --batch 16 --seconds 25
measure row-lstm diagonal-bilstm --set layers=2 --set maps=16 --set head_maps=32 --set head=bernoulli --batch 16 --seconds 25
measure pixelvae --set layers=3 --set maps=32 --set head_maps=32 --set head=bernoulli --batch 16 --seconds 25
measure vae --set maps=32 --set head=bernoulli --batch 16 --seconds 15
measure pixelcnn-pp --set layers=2 --set maps=32 --set scales=3 --set head=bernoulli --batch 16 --seconds 25
measure pixelsnail --set blocks=2 --set layers=2 --set maps=32 --set head=bernoulli --batch 16 --seconds 25
