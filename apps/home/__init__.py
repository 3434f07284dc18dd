"""The front page, stars and recents, the palette, and the component gallery: panels that other rooms offer, search over what one may see, the way from a commit to a served model."""
