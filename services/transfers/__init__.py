"""The transfers room: cases handed from organ to organ, their clocks told to the parties, and the lists that are read of them."""
