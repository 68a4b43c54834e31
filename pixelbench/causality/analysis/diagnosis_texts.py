"""The words of the diagnoses: what is seen, the likely cause, the fix. Names are stable; words in braces are filled in."""

LOST_MASK = "mask-lost-in-training"
#: Said where the same module was checked before the step and was clean.
LOST_MASK_FOR_SURE = (
    "Clean before the training step, leaky after it: the mask was multiplied with the weight only once, at initialisation, and training "
    "has filled what it had cleared. Multiply `weight * mask` in every `forward`."
)

#: Of a leak: these names in a record say that there is one.
OF_LEAKS: dict[str, str] = {
    "order-of-its-own": (
        "Causal in an order of its own ({order}), no leak there, and not in raster order: do not sample it in raster order. --order any "
        "accepts whatever order it has, --order FILE one that you state."
    ),
    "coupled-over-batch": (
        "Other images of the batch change an image's output. Likely BatchNorm in training mode, a roll or a reshape that mixes the batch "
        "axis with another, or a mean over the batch. Normalise over channels only, and keep the batch axis first."
    ),
    "width-and-height-swapped": (
        "No leak if drawn column by column ({order}): width and height are taken for one another. Look for a transpose, or a `view` with "
        "H and W exchanged."
    ),
    "wrong-direction": (
        "No leak if drawn the other way round ({order}): a recurrent pass, a cumulative sum or a mask runs in the wrong direction. "
        "Reverse it, or flip its input and its output."
    ),
    "colours-in-another-order": (
        "No leak if the colours come in another order ({order}): the masks or the images hold the channels in another order than R, G, B "
        "at each pixel. Reorder the channels where the images enter."
    ),
    "normalised-over-space": (
        "Outputs see nearly every later pixel. Likely GroupNorm, InstanceNorm or LayerNorm over height and width, global pooling, a "
        "squeeze-and-excite block, a backward pass, attention without its mask, or attention whose first row has nothing to attend to, so "
        "that its softmax spreads over everything and a further layer passes that on. Normalise over the channels of each pixel, mask the "
        "attention, and give its first row something to attend to."
    ),
    "dense-or-normalised-over-space": (
        "Outputs see nearly every later pixel, and the module takes images of this size only: a dense layer over all pixels without its "
        "mask, attention without its mask beside a table of positions, or a normalisation over height and width with weights for each "
        "pixel. Mask the layer in every `forward`, or normalise over the channels of each pixel."
    ),
    "backward-recurrence": (
        "Later pixels are seen ever more weakly the farther they are away, in a longer image too, until rounding hides them: a recurrent "
        "pass from the bottom up, or over the sequence in both directions; a stack of very many kernels that keep rows below fades as "
        "well. Run the pass from the top only, or shift what the backward pass gives down by a row; zero what kernels hold below."
    ),
    "far-rows-seen": (
        "Rows below are seen, and in a longer image as much however far away they are: a normalisation, pooling or attention along the "
        "columns, or a recurrent pass from the bottom up. Normalise over the channels of each pixel, or mask what combines the rows."
    ),
    "first-row-passed-on": (
        "Outputs see nearly every later pixel, the first output by far the most, in a longer image too: attention whose first rows have "
        "nothing to attend to, so that the softmax spreads over everything, and a further layer passes that on to all others. Give it a "
        "learnt sink, or zero the result of an empty row."
    ),
    "padded-with-pixels": (
        "The leaks are in the first rows and columns only; in the middle of a larger image there are none: the padding there holds pixels "
        "of the image (`reflect` or `replicate`), which for the first rows and columns are not earlier ones. Pad with zeros, in every "
        "layer."
    ),
    "first-row-attends-to-everything": (
        "Only the first outputs see later pixels, and nearly all of them: causal attention whose first rows have nothing to attend to, so"
        " that the softmax spreads over everything. Give it a learnt sink, or zero the result of an empty row."
    ),
    "shifted-the-wrong-way": (
        "Each pixel sees itself and the next one in raster order, across the ends of rows: the sequence is shifted by one the wrong way. "
        "Shift the *input* one step later: a start token first, the last pixel dropped."
    ),
    "strided": (
        "Which later pixels are seen depends on the position modulo a small number: a stride, pooling, patch or upsampling that treats a "
        "block of pixels as one. Shift by a whole block before it, or mask within the block."
    ),
    "wraps-around": (
        "Outputs near one side see pixels near the opposite side: circular padding, or a roll where a shift that fills with zeros is "
        "needed. Pad with zeros."
    ),
    "border-only": (
        "The leak is at the border of the image only ({border}): the padding or cropping there is off by one, or adds what is cut off "
        "elsewhere. Check the sizes before and after each shift."
    ),
    "rows-below-kept": (
        "Rows below are seen. Either the mask clears the row of the kernel's centre and keeps the rows below it, or it is not applied at "
        "all (computed but not multiplied with the weight). Zero `mask[:, :, k // 2 + 1:]` and multiply in every `forward`."
    ),
    LOST_MASK: (
        "After a training step pixels below and to the right are seen. If the module is clean before it, the mask was multiplied with the"
        " weight only once, at initialisation. Multiply `weight * mask` in every `forward`."
    ),
    "whole-row-seen": (
        "Every later pixel of the same row is seen, to its end, and no row below: a recurrent pass or attention from right to left that "
        "is not shifted down by a row, a normalisation over the row, or a deep vertical stack that enters its own row. Shift it down one "
        "row."
    ),
    "vertical-stack-unshifted": (
        "The pixel itself and some to its right are seen, no row below: a vertical stack that holds its own row enters the horizontal one"
        " unshifted. Shift it down by one row before the link (pad one row at the top, drop the last)."
    ),
    "looks-ahead": (
        "Later positions of the sequence are seen, up to {ahead} ahead: a causal convolution that is padded on both sides or on the right, "
        "a kernel or a window around its centre, or a mask that is off by some places. Pad on the left only, by dilation * (kernel - 1), "
        "or move the mask's diagonal."
    ),
    "right-neighbours-seen": (
        "Pixels to the right in the same row are seen, but not the pixel itself: the kernel keeps taps right of its centre, or the row is"
        " shifted to the left. Zero `mask[:, :, k // 2, k // 2 + 1:]`, or pad on the left."
    ),
    "whole-pixel-seen": (
        "Every colour sees every colour of its own pixel and nothing else that is forbidden: the centre of the mask is open, or the "
        "colours are not ordered at all, or a sequence of pixels is not shifted by one. Use mask A in the first layer, with colour "
        "groups."
    ),
    "sees-itself": (
        "Outputs see their own sub-pixel and nothing else that is forbidden: the first layer uses mask B, or a residual or skip "
        "connection goes around it: use mask A in the first layer, and begin residual connections after it. Or a sequence model whose "
        "output t is for token t + 1, right as it is trained: put a start token first and drop the last one."
    ),
    "colours-mixed": (
        "Colours see later colours of the same pixel, or themselves ({pairs}), though the last colour does not see itself: feature maps "
        "leave their colour groups, at a gate split, a concatenation, a normalisation over channels or a width that is not divisible by "
        "the number of colours. Split, join and normalise within each colour's maps."
    ),
    "active-only-jointly": (
        "{joint} dependences show only when several later sub-pixels change at once, not for any one of them: a minimum, a product or a "
        "comparison of later values. Find what combines them, and mask its input."
    ),
    "unknown-pattern": (
        "Unknown pattern of leaks ({kinds} kinds). The smallest counter-example: {example}. Change that input by hand and follow it "
        "through the layers."
    ),
    "weak-path": (
        "The leak is weak (at most {largest:.1g} of the largest output): float32 hides it in rounding, but it is one. Look for a small "
        "gain: a scaled skip connection, a mask of small numbers instead of zeros, an epsilon."
    ),
}

#: Of what a module carries or keeps from call to call, which its caller may accept.
OF_STATE: dict[str, str] = {
    "carries-state": (
        "Equal calls one after another give different outputs: the module carries something from one call to the next (a counter, a "
        "cache, running statistics). It was checked from the state of the first call and from later ones. Clear that state at the start "
        "of `forward`, or keep it out of the output."
    ),
    "sees-former-images": (
        "Exchanging the images of former calls changes the output: the module keeps something of them (a cache that is never emptied, "
        "running statistics that enter the output). Clear that state at the start of `forward`, or keep it out of the output; "
        "--allow-state accepts it."
    ),
}

#: Of what is earlier and not seen.
OF_GAPS: dict[str, str] = {
    "nothing-seen": (
        "No output depends on any earlier sub-pixel: the outputs are constants. Check that the image reaches the layers at all (an "
        "all-zero mask, a detached or overwritten input, weights that are zero)."
    ),
    "colour-blind": (
        "No colour sees another colour of its own pixel: colour conditioning is switched off, or the first layer clears its whole centre,"
        " so that later colour masks find nothing. Let mask A pass earlier colours at the centre; otherwise samples look like colour "
        "noise."
    ),
    "partial-colour-conditioning": (
        "Some colours do not see all earlier colours of their pixel ({pairs}). Check the colour groups of the mask A layer and of the head."
    ),
    "channels-apart": (
        "Some colours never see some others, at any earlier pixel: the network treats channels apart (grouped or depthwise convolutions),"
        " or colour masks are applied to neighbouring pixels too. Mask colours at the centre of the kernel only."
    ),
    "vertical-link-missing": (
        "Only the pixel's own row is seen, no row above: the link from the vertical to the horizontal stack is missing, or its output is "
        "not used. Add the 1x1 link in every layer."
    ),
    "own-row-missing": (
        "No pixel of the output's own row is seen, only rows above: the horizontal stack gets no input, or only a vertical stack is "
        "built. Feed the pixels to the left into the horizontal stack."
    ),
    "left-neighbour-missing": (
        "The left neighbour is not seen, though pixels farther left are: mask A in more than one layer, or a shift made twice. Mask A "
        "belongs to the first layer only, mask B to all others."
    ),
    "lattice": (
        "Pixels are seen on a lattice only: strides or dilated kernels whose gaps no other layer fills. Mix dilations without a common "
        "factor, or add an undilated layer."
    ),
    "blind-spot": (
        "Blind spot to the upper right, narrowing with the distance: one stack of masked convolutions, or two stacks whose vertical "
        "layers are all strictly above their row (the map is the same for both). Use two stacks, and let every vertical layer after the "
        "first read its own row."
    ),
    "row-end-missing": (
        "Only the last pixel of the row above, or its last colour, is never seen, by the first pixel of a row: a recurrence over features "
        "that do not know their own pixel, so that no feature of a row knows its last one (a Diagonal BiLSTM's pass from the right, an "
        "LSTM along masked features). It costs little; a first layer as wide as the image sees it."
    ),
    "row-end-missing-widely": (
        "The last pixel of the row above is not seen by {columns} of a row: attention or a recurrence over features that do not know their "
        "own pixel, so that the end of a row enters only by the next row's features. A first layer as wide as the image, or keys that hold "
        "their own pixel, see it."
    ),
    "row-end-missing-or-blind-spot": (
        "Only the last pixel of the row above is never seen, by the first pixel of a row: either a recurrence over features that do not "
        "know their own pixel, or one stack of masked convolutions nearly as wide as the image, whose blind spot shows in a wider one. "
        "Check a wider --shape."
    ),
    "triangular-context": (
        "The context opens like a triangle upwards on both sides, so that near rows are cut off: a Row LSTM, or vertical layers that each"
        " move up a row. That is the architecture's; a diagonal recurrence or a two-stack network sees all."
    ),
    "gap-by-position": (
        "Which earlier pixels are seen depends on where the output is: {pairs_in_places} pairs of pixels are missed ({where}) whose offset "
        "is seen elsewhere. Check what is cut off or padded at the borders, masks that are made for each position, and blocks."
    ),
    "gap-in-context": (
        "Earlier positions are missing inside the bounding box of what is seen ({missing}). Compare the map with the kernels of "
        "each layer; a stack or a path is not connected, or weights are zero."
    ),
}

SENTENCES = OF_LEAKS | OF_STATE | OF_GAPS
