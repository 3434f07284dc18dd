"""The front page and the component gallery: panels that other rooms offer, search over what one may see, the way from a commit to a served model."""
